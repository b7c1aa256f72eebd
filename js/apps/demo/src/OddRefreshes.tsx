import { useState } from 'react'
import type { Desk, DeskHandle, OddRefresh, Person } from './desk.js'
import { useJournal } from './journal.js'

interface Props {
  readonly desk: Desk
  readonly me: Person
  readonly post: DeskHandle['post']
}

/** What the service noticed about refresh tokens, with a thief at hand to see it by. */
export function OddRefreshes({ desk, me, post }: Props) {
  const journal = useJournal()
  const [busy, setBusy] = useState(false)
  const steal = async () => {
    setBusy(true)
    journal.note('quiet', `A refresh token of ${me.name} was copied, used by its owner, and shown again`)
    await post('/api/desk/steal', { person: me.id })
    setBusy(false)
  }
  return (
    <section className="card odd" aria-labelledby="odd-title">
      <div className="card-head">
        <div>
          <h2 id="odd-title">Odd refreshes</h2>
          <p className="quiet">What looked like theft, with its evidence, from gp.auth.anomalies().</p>
        </div>
        <button type="button" className="button" disabled={busy || me.blocked} onClick={steal}>
          Steal a refresh token
        </button>
      </div>
      {desk.anomalies.length > 0 && <Rows desk={desk} />}
      <p className="legend quiet">
        <b>Steal</b> logs you in on another device, copies its refresh token, lets the device go on, and then
        shows the copy. That session ends, for thief and device; the one on this page is another, and goes on.
      </p>
    </section>
  )
}

function Rows({ desk }: { desk: Desk }) {
  const nameOf = (id: string | null) => desk.people.find((person) => person.id === id)?.name ?? id ?? '–'
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">When</th>
          <th scope="col">Who</th>
          <th scope="col">What</th>
          <th scope="col">Evidence</th>
        </tr>
      </thead>
      <tbody>
        {desk.anomalies.map((odd) => (
          <tr key={odd.id}>
            <td className="number">{new Date(odd.at).toLocaleTimeString()}</td>
            <td>{nameOf(odd.person)}</td>
            <td>
              {WHAT[odd.kind] ?? odd.kind} <span className="tag bad">{odd.outcome}</span>
            </td>
            <td className="mono">{evidenceOf(odd)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

const WHAT: Readonly<Record<string, string>> = {
  reuse: 'A used token came back',
  rate: 'Over 10 refreshes in a minute',
  origin: 'Another network and browser at once',
  pause: 'The first refresh after 72 h',
}

const evidenceOf = ({ evidence }: OddRefresh) =>
  Object.entries(evidence)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
