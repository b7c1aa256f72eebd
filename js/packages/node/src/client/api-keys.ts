import { inspect } from 'node:util'
import { fields, pathId, type Wire, withDates } from './codec.js'
import type {
  ApiKey,
  CreateApiKeyParams,
  EditApiKeyParams,
  ListApiKeysParams,
  NewApiKey,
  RevokeApiKeyParams,
  RotateApiKeyParams,
} from './model.js'
import { Paged } from './paged.js'
import type { CallOptions, Transport } from './transport.js'

const PATH = '/v1/api-keys'

/** `gp.apiKeys`: keys of your project and environment, for a key that can `manage`; never beyond what it can itself. */
export class ApiKeys {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** Every key, the newest first, also what has ended: `for await (const key of gp.apiKeys.list())`. */
  list(params: ListApiKeysParams = {}, options?: CallOptions): ApiKeyList {
    return new ApiKeyList(this.#transport, { path: PATH, params: { ...params }, options, read: keyOf })
  }

  /** @throws RequestError (`NOT_FOUND`), also for another project's id. */
  async get(id: string, options?: CallOptions): Promise<ApiKey> {
    return keyOf(await this.#transport.send({ method: 'GET', path: pathOf(id), options }))
  }

  /**
   * Makes a key; its secret is answered this once.
   *
   * @throws CallerError (`FORBIDDEN`) where something of it is more than your own key has.
   */
  async create(params: CreateApiKeyParams, options?: CallOptions): Promise<NewApiKey> {
    return hideSecret(await this.#post(PATH, params, options))
  }

  /**
   * Changes what is given, and nothing else. Every server follows within a second.
   *
   * @throws RequestError (`NOT_FOUND`; `CONFLICT` where it has ended), CallerError (`FORBIDDEN`).
   */
  async edit(id: string, params: EditApiKeyParams, options?: CallOptions): Promise<ApiKey> {
    return keyOf(await this.#post(pathOf(id), params, options))
  }

  /**
   * Gives a key a new secret, answered this once; its sessions live on.
   *
   * @throws RequestError (`NOT_FOUND`; `CONFLICT` where it has ended or five secrets work), CallerError (`FORBIDDEN`).
   */
  async rotate(id: string, params: RotateApiKeyParams = {}, options?: CallOptions): Promise<NewApiKey> {
    return hideSecret(await this.#post(`${pathOf(id)}/rotate`, params, options))
  }

  /** Ends a key for good and, unless `keepSessions`, every session it minted. @throws RequestError (`NOT_FOUND`). */
  async revoke(id: string, params: RevokeApiKeyParams = {}, options?: CallOptions): Promise<ApiKey> {
    return keyOf(await this.#post(`${pathOf(id)}/revoke`, params, options))
  }

  #post(path: string, params: object, options: CallOptions | undefined): Promise<unknown> {
    return this.#transport.send({ method: 'POST', path, body: fields(params), changes: true, options })
  }
}

/** API keys, page by page: `for await`. */
export class ApiKeyList extends Paged<ApiKey> {}

function pathOf(id: string): string {
  return `${PATH}/${pathId(id, 'key_')}`
}

function keyOf(wire: unknown): ApiKey {
  const key = withDates<ApiKey>(wire, ['createdAt', 'expiresAt', 'lastUsedAt', 'revokedAt'])
  const secrets = Array.isArray(key.secrets) ? key.secrets : []
  return { ...key, secrets: secrets.map((one) => withDates(one, ['createdAt', 'endsAt'])) }
}

/** `console.log(key)` must not write a secret into a log; JSON keeps it, since it is meant to be stored. */
function hideSecret(wire: unknown): NewApiKey {
  const key = keyOf(wire) as NewApiKey
  const shown: Wire = { ...key, secret: '[hidden]' }
  return Object.defineProperty(key, inspect.custom, { value: () => shown })
}
