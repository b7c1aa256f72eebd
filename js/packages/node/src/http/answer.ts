import { randomUUID } from 'node:crypto'
import { type AnyErrorCode, type GuestpassError, meaningOf } from '../errors.js'

/** An answer before a framework has it. `vary` and `expose` join what is already there. */
export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
  readonly vary?: string
  readonly expose?: string
  /** Joins the cookies that are already being set. */
  readonly setCookie?: string
}

const REQUEST_ID = /^[A-Za-z0-9_.:-]{1,128}$/

/** The caller's request id where it is well formed, else a new one. */
export function requestIdOf(given: string | undefined): string {
  return given !== undefined && REQUEST_ID.test(given) ? given : `req_${randomUUID().replaceAll('-', '')}`
}

/** A refusal in the contract's shape. `message` is public; by default it is the code's own sentence. */
export function refusal(
  code: AnyErrorCode,
  status: number,
  requestId: string,
  message: string = meaningOf(code),
): Answer {
  const headers = { 'Cache-Control': 'no-store', 'X-Request-Id': requestId }
  return { status, body: { code, message, requestId }, headers }
}

/** `Retry-After` for 429 and 503, in whole seconds. */
export function retryAfter(error: GuestpassError): Readonly<Record<string, string>> {
  return { 'Retry-After': String(error.retryAfterSeconds ?? 1) }
}

/** Joins a list header without repeating a name. */
export function joined(present: string | null | undefined, more: string | undefined): string | undefined {
  if (more === undefined) return undefined
  const names = (present ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  for (const name of more.split(', ')) {
    if (!names.some((known) => known.toLowerCase() === name.toLowerCase())) names.push(name)
  }
  return names.join(', ')
}
