import axios, { AxiosError, AxiosHeaders, type AxiosResponse, type InternalAxiosRequestConfig } from 'axios'
import { beforeEach, expect, test } from 'vitest'
import { attachSession } from '../src/axios.js'
import { createSessionClient } from '../src/index.js'
import { TestWorld } from '../src/testing/index.js'

let world: TestWorld
let sent: { url: string; authorization: unknown }[]
let refusals: number

beforeEach(() => {
  world = new TestWorld()
  sent = []
  refusals = 0
})

async function adapter(config: InternalAxiosRequestConfig): Promise<AxiosResponse> {
  sent.push({ url: axios.getUri(config), authorization: config.headers.get('Authorization') })
  const refused = refusals-- > 0
  const headers = new AxiosHeaders(refused ? { 'Guestpass-Retry': 'token' } : {})
  const response = { data: {}, status: refused ? 401 : 200, statusText: '', headers, config }
  if (refused) throw new AxiosError('refused', 'ERR_BAD_REQUEST', config, undefined, response)
  return response
}

function setUp() {
  const { platform } = world.tab()
  const client = createSessionClient({
    sessionTokenUrl: '/api/session',
    apiUrl: 'https://api.example.com',
    platform,
  })
  const http = axios.create({ baseURL: 'https://api.example.com/v1', adapter })
  return { http, detach: attachSession(http, client) }
}

test('a request to the API carries the token, one to another origin does not', async () => {
  const { http } = setUp()
  await http.get('/invoices')
  await http.get('https://evil.example/')
  expect(sent[0]).toMatchObject({
    url: 'https://api.example.com/v1/invoices',
    authorization: expect.stringMatching(/^Bearer gp_/),
  })
  expect(sent[1]?.authorization).toBeFalsy()
})

test('a request that the API invites to repeat is repeated once with a new token', async () => {
  const { http } = setUp()
  refusals = 1
  expect((await http.post('/invoices', { a: 1 })).status).toBe(200)
  expect(sent).toHaveLength(2)
  expect(sent[1]?.authorization).not.toBe(sent[0]?.authorization)
  expect(world.endpoint.calls).toBe(2)
})

test('a request that goes on being refused fails as any other', async () => {
  const { http } = setUp()
  refusals = 9
  await expect(http.get('/invoices')).rejects.toMatchObject({ response: { status: 401 } })
  expect(sent).toHaveLength(2)
})

test('credentials that the caller brings are left alone', async () => {
  const { http } = setUp()
  await http.get('/invoices', { headers: { Authorization: 'Basic abc' } })
  expect(sent[0]?.authorization).toBe('Basic abc')
  expect(world.endpoint.calls).toBe(0)
})

test('after detaching nothing is attached', async () => {
  const { http, detach } = setUp()
  detach()
  await http.get('/invoices')
  expect(sent[0]?.authorization).toBeFalsy()
})
