import type { SessionState } from '@guestpass/browser'
import { SessionGate } from '@guestpass/react'
import { useState } from 'react'
import { type Billing, type Invoice, type Outcome, useBilling } from './billing.js'
import { SessionOver } from './SessionOver.js'

const ROWS = 4
const MONEY = new Intl.NumberFormat('en-GB', { style: 'currency', currency: 'GBP' })

/** The embedded billing widget, open from the first token to the session's end. */
export function Ledger({ state }: { state: SessionState }) {
  return (
    <section className="card ledger" aria-labelledby="ledger-title">
      <div className="card-head">
        <div>
          <h1 id="ledger-title">Invoices</h1>
          <p className="quiet">Hollis Court and Mill Lane</p>
        </div>
      </div>
      <SessionGate fallback={<Waiting />} signedOut={<SessionOver state={state} />}>
        <Invoices />
      </SessionGate>
    </section>
  )
}

function Waiting() {
  return (
    <>
      <Rows />
      <p className="told" />
    </>
  )
}

function Invoices() {
  const billing = useBilling()
  const [told, setTold] = useState<Told>()
  return (
    <>
      <Rows billing={billing} onTold={setTold} />
      <p className="told" role="status" data-tone={told?.tone ?? 'quiet'}>
        {told?.text ?? (billing.stale ? STALE : 'Try the buttons: the token decides which of them work.')}
      </p>
    </>
  )
}

const STALE = 'These may be out of date; they are read again as soon as the line is back.'

interface Told {
  readonly tone: 'good' | 'bad'
  readonly text: string
}

function Rows({ billing, onTold }: { billing?: Billing; onTold?: (told: Told) => void }) {
  const invoices = billing?.invoices
  return (
    <ul className="invoices" aria-busy={!invoices}>
      {invoices && billing && onTold
        ? invoices.map((invoice) => (
            <InvoiceRow key={invoice.id} invoice={invoice} billing={billing} onTold={onTold} />
          ))
        : Array.from({ length: ROWS }, (_, row) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows that wait have nothing else
            <li key={row} className="invoice waiting" aria-hidden="true" />
          ))}
    </ul>
  )
}

interface RowProps {
  readonly invoice: Invoice
  readonly billing: Billing
  readonly onTold: (told: Told) => void
}

function InvoiceRow({ invoice, billing, onTold }: RowProps) {
  const { id, tenant, unit, due, cents, status } = invoice
  const [busy, setBusy] = useState(false)
  const run = async (deed: (invoice: Invoice) => Promise<Outcome<Invoice>>, done: string) => {
    setBusy(true)
    onTold(tell(await deed(invoice), `${done} (${id}).`))
    setBusy(false)
  }
  return (
    <li className="invoice" aria-busy={busy}>
      <span className="who">
        <strong>{tenant}</strong>
        <span className="quiet">
          {unit} · {id}
        </span>
      </span>
      <span className="due">
        <span className="quiet">due {due}</span>
        <span className="tag" data-status={status}>
          {status}
        </span>
      </span>
      <span className="amount number">{MONEY.format(cents / 100)}</span>
      <span className="actions">
        <button type="button" className="button" onClick={() => run(billing.remind, 'Reminder sent')}>
          Remind<span className="unseen"> {tenant}</span>
        </button>
        <button type="button" className="button" onClick={() => run(billing.refund, 'Payment refunded')}>
          Refund<span className="unseen"> {tenant}</span>
        </button>
      </span>
    </li>
  )
}

function tell(outcome: Outcome<Invoice>, done: string): Told {
  if (outcome.ok) return { tone: 'good', text: done }
  return { tone: 'bad', text: REFUSALS[outcome.code] ?? `The API refused: ${outcome.code}.` }
}

const REFUSALS: Partial<Record<string, string>> = {
  OPERATION_NOT_ALLOWED: 'Refused, 403: this person’s token does not allow that (OPERATION_NOT_ALLOWED).',
  TOKEN_REVOKED: 'Refused, 401: the session was revoked.',
  UNREACHABLE: 'The billing API cannot be reached. Nothing was changed.',
  UNAVAILABLE: 'The billing API cannot be reached. Nothing was changed.',
}
