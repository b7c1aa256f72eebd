import { decodeToken } from '@guestpass/browser'
import { useSession, useSessionClient, useSessionToken } from '@guestpass/react'
import type { Desk, DeskHandle, Person } from './desk.js'
import { EventLog } from './EventLog.js'
import { type Tally, useJournalNow } from './journal.js'
import { StatusPill } from './parts.js'
import { Ring } from './Ring.js'
import { useSecondsLeft } from './seconds.js'
import { useTabCount } from './tabs.js'

/** Behind the page: the token's life, what it may do, and what the SDK did. */
export function Inspector({ desk, me, post }: { desk: Desk; me: Person; post: DeskHandle['post'] }) {
  return (
    <aside className="inspector" aria-label="Behind the page">
      <TokenLife desk={desk} post={post} />
      <Operations desk={desk} me={me} />
      <EventLog />
    </aside>
  )
}

function TokenLife({ desk, post }: { desk: Desk; post: DeskHandle['post'] }) {
  const state = useSession()
  const left = useSecondsLeft(state)
  const life = 'session' in state ? state.session.lifeSeconds : undefined
  return (
    <section className="panel" aria-labelledby="token-title">
      <div className="panel-head">
        <h2 id="token-title">Session token</h2>
        <StatusPill state={state} />
      </div>
      <div className="life">
        <Ring left={left} life={life} status={state.status} />
        <Facts desk={desk} />
      </div>
      <Controls desk={desk} post={post} />
    </section>
  )
}

function Facts({ desk }: { desk: Desk }) {
  const token = useSessionToken()
  const { asked } = useJournalNow()
  const tabs = useTabCount()
  const session = token ? String(decodeToken(token).sid ?? '') : ''
  return (
    <dl className="facts">
      <div>
        <dt>Session</dt>
        <dd className="mono">{session ? `…${session.slice(-8)}` : '–'}</dd>
      </div>
      <div>
        <dt>Tokens fetched</dt>
        <dd className="number" data-testid="minted">
          {desk.tokensMinted}
        </dd>
      </div>
      <div>
        <dt>Asked by this tab</dt>
        <dd className="number" data-testid="asked">
          {asked}
        </dd>
      </div>
      <div>
        <dt>Tabs open</dt>
        <dd className="number" data-testid="tabs">
          {tabs}
        </dd>
      </div>
    </dl>
  )
}

function Controls({ desk, post }: { desk: Desk; post: DeskHandle['post'] }) {
  const client = useSessionClient()
  const renew = () => client.refresh().catch(() => {}) // the state says why not
  const switchLine = async () => {
    await post('/api/line', { cut: !desk.lineCut })
    if (desk.lineCut)
      dispatchEvent(new Event('online')) // as the browser tells of a real line; the SDK does the rest
    else await renew() // what is seen at the next renewal is seen now
  }
  return (
    <div className="controls">
      <button type="button" className="button" onClick={renew}>
        Renew now
      </button>
      <button type="button" className="button" aria-pressed={desk.lineCut} onClick={switchLine}>
        {desk.lineCut ? 'Mend the line' : 'Cut the line'}
      </button>
      <a className="button" href="/" target="_blank" rel="noopener">
        Second tab
      </a>
    </div>
  )
}

const NONE: Tally = { allowed: 0, refused: 0 }

function Operations({ desk, me }: { desk: Desk; me: Person }) {
  const { tallies } = useJournalNow()
  const all = [...new Set(desk.people.flatMap(({ operations }) => operations))]
  return (
    <section className="panel" aria-labelledby="operations-title">
      <table>
        <caption id="operations-title">Calls by operation</caption>
        <thead>
          <tr>
            <th scope="col">Operation</th>
            <th scope="col">Allowed</th>
            <th scope="col">Refused</th>
          </tr>
        </thead>
        <tbody>
          {all.map((operation) => {
            const { allowed, refused } = tallies[operation] ?? NONE
            const granted = me.operations.includes(operation)
            return (
              <tr key={operation} data-operation={operation} data-granted={granted}>
                <th scope="row" className="mono">
                  {operation}
                  {!granted && <span className="unseen"> (not in this token)</span>}
                </th>
                <td className="number">{allowed}</td>
                <td className="number" data-refused={refused > 0}>
                  {refused}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </section>
  )
}
