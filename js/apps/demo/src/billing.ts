import { type SessionClient, SessionError } from '@guestpass/browser'
import { useSessionClient, useSessionFetch } from '@guestpass/react'
import { useCallback, useEffect, useState } from 'react'
import { useJournal } from './journal.js'

export interface Invoice {
  readonly id: string
  readonly tenant: string
  readonly unit: string
  readonly due: string
  readonly cents: number
  readonly status: 'due' | 'overdue' | 'paid' | 'reminded' | 'refunded'
}

/** How a call to the billing API went. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly status: number | undefined; readonly code: string }

type Call = <T>(operation: string, path: string, body?: object) => Promise<Outcome<T>>

/** Call the billing API with the session's token; every answer is counted, every refusal written down. */
function useCall(): Call {
  const send = useSessionFetch()
  const client = useSessionClient()
  const journal = useJournal()
  return useCallback<Call>(
    async (operation, path, body) => {
      const before = tokenOf(client)
      try {
        const response = await send(path, body && { ...POST_JSON, body: JSON.stringify(body) })
        journal.count(operation, response.ok)
        // The SDK repeats a call that was refused with Guestpass-Retry, and says nothing of it.
        if (response.ok && before && before !== tokenOf(client))
          journal.note('busy', `${operation} repeated`, 'with a new token')
        const answer = await response.json()
        if (response.ok) {
          if (body) journal.note('good', `${operation} allowed`, String(response.status))
          return { ok: true, value: answer }
        }
        journal.note('bad', `${operation} refused`, `${response.status} ${answer.code}`)
        return { ok: false, status: response.status, code: answer.code }
      } catch (thrown) {
        return {
          ok: false,
          status: undefined,
          code: thrown instanceof SessionError ? thrown.code : 'UNREACHABLE',
        }
      }
    },
    [send, client, journal],
  )
}

function tokenOf(client: SessionClient): string | undefined {
  const state = client.getState()
  return 'session' in state ? state.session.sessionToken : undefined
}

const POST_JSON = { method: 'POST', headers: { 'Content-Type': 'application/json' } }
const POLL_MS = 2_500

export interface Billing {
  /** Undefined until the first answer. */
  readonly invoices: readonly Invoice[] | undefined
  /** Why they may be out of date. */
  readonly stale: string | undefined
  readonly remind: (invoice: Invoice) => Promise<Outcome<Invoice>>
  readonly refund: (invoice: Invoice) => Promise<Outcome<Invoice>>
}

/** The invoices, read again every few seconds as such a widget does, and what can be done to one. */
export function useBilling(): Billing {
  const call = useCall()
  const [invoices, setInvoices] = useState<readonly Invoice[]>()
  const [stale, setStale] = useState<string>()

  const read = useCallback(async () => {
    const outcome = await call<Invoice[]>('read_invoices', '/billing/invoices')
    if (outcome.ok) setInvoices(outcome.value)
    setStale(outcome.ok ? undefined : outcome.code)
  }, [call])

  useEffect(() => {
    read()
    const timer = setInterval(() => document.visibilityState === 'visible' && read(), POLL_MS)
    return () => clearInterval(timer)
  }, [read])

  const change = useCallback(
    async (operation: string, path: string, invoice: Invoice) => {
      const outcome = await call<Invoice>(operation, path, { invoice: invoice.id })
      if (outcome.ok) await read()
      return outcome
    },
    [call, read],
  )

  return {
    invoices,
    stale,
    remind: (invoice) => change('send_reminders', '/billing/reminders', invoice),
    refund: (invoice) => change('refund_payments', '/billing/refunds', invoice),
  }
}
