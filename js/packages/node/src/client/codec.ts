import { RequestError, ServiceError } from '../errors.js'
import type { Page } from './model.js'

export type Wire = Record<string, unknown>

const ID = /^[A-Za-z0-9_-]{1,64}$/
const CREDENTIAL = /^(?:[a-z]+_(?:session|refresh)_(?:test|live)_|eyJ|sk_)/

/**
 * An id that is safe inside a path. A token is refused here because addresses end up in logs; `''` and
 * `'..'` because they would name another resource than the caller meant.
 */
export function pathId(given: string, like: string): string {
  if (typeof given === 'string' && ID.test(given) && !CREDENTIAL.test(given)) return given
  const isCredential = typeof given === 'string' && CREDENTIAL.test(given)
  const rule = isCredential
    ? `this is a credential; pass the id (${like}…) that was answered beside it`
    : `must be an id like ${like}…`
  throw new RequestError('VALIDATION_ERROR', `id: ${rule}.`, { details: [{ path: 'id', message: rule }] })
}

/** The fields that have a value, times as RFC 3339. */
export function fields(params: object): Wire {
  const wire: Wire = {}
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined) continue
    wire[name] = value instanceof Date ? rfc3339(name, value) : value
  }
  return wire
}

function rfc3339(name: string, moment: Date): string {
  if (Number.isNaN(moment.getTime()))
    throw new RequestError('VALIDATION_ERROR', `${name} is not a valid Date.`)
  return moment.toISOString()
}

/** A copy of an answer in which the named times, where present and not null, are `Date`s. */
export function withDates<T extends object>(answer: unknown, names: readonly (keyof T & string)[]): T {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) throw notUnderstood('an object')
  const copy: Wire = { ...answer }
  for (const name of names) {
    const value = copy[name]
    if (value === undefined || value === null) continue
    const moment = new Date(typeof value === 'string' ? value : Number.NaN)
    if (Number.isNaN(moment.getTime())) throw notUnderstood(`a time in ${name}`)
    copy[name] = moment
  }
  return copy as T
}

export function pageOf<T>(answer: unknown, read: (wire: unknown) => T): Page<T> {
  const { data, nextCursor } = withDates<{ data?: unknown; nextCursor?: unknown }>(answer, [])
  if (!Array.isArray(data)) throw notUnderstood('a list')
  return { data: data.map(read), nextCursor: typeof nextCursor === 'string' ? nextCursor : null }
}

function notUnderstood(what: string): ServiceError {
  return new ServiceError(
    'INTERNAL_ERROR',
    `The answer does not have ${what} where one was expected; is the address right?`,
  )
}
