import { useState } from 'react'
import type { Deed, Desk, DeskHandle, Person } from './desk.js'
import { useJournal } from './journal.js'
import { Avatar } from './parts.js'

interface Props {
  readonly desk: Desk
  readonly reachable: boolean
  readonly post: DeskHandle['post']
}

/** The admin side: what the business can do to anybody's sessions, from here or any other machine. */
export function OperatorDesk({ desk, reachable, post }: Props) {
  return (
    <section className="card" aria-labelledby="desk-title">
      <div className="card-head">
        <div>
          <h2 id="desk-title">Admin desk</h2>
          <p className="quiet">
            {reachable
              ? 'End anybody’s sessions, and watch this page react at its next call.'
              : 'Waiting for the portal…'}
          </p>
        </div>
      </div>
      <ul className="desk">
        {desk.people.map((person) => (
          <DeskRow key={person.id} person={person} isMe={person.id === desk.me} post={post} />
        ))}
      </ul>
      <p className="legend quiet">
        <b>Revoke</b> ends every session; the page is out at its next call. <b>Reissue</b> ends them too, but
        invites browsers to fetch a new token, so nobody notices. <b>Block</b> also refuses new ones.
      </p>
    </section>
  )
}

const sessions = (count: number) => (count ? `${count} session${count > 1 ? 's' : ''}` : 'no session')

const DONE: Record<Deed, string> = {
  revoke: 'revoked',
  reissue: 'revoked with reissue',
  block: 'blocked',
  unblock: 'unblocked',
}

function DeskRow({ person, isMe, post }: { person: Person; isMe: boolean; post: DeskHandle['post'] }) {
  const journal = useJournal()
  const [busy, setBusy] = useState(false)
  const act = async (deed: Deed) => {
    setBusy(true)
    journal.note('quiet', `Admin: ${person.name} ${DONE[deed]}`)
    await post(`/api/desk/${deed}`, { person: person.id })
    setBusy(false)
  }
  const button = (deed: Deed, label: string) => (
    <button type="button" className="button" disabled={busy} onClick={() => act(deed)}>
      {label}
      <span className="unseen"> {person.name}</span>
    </button>
  )
  return (
    <li>
      <Avatar person={person} />
      <span className="who">
        <strong>
          {person.name}
          {isMe && <span className="quiet"> (you)</span>}
        </strong>
        <span className="quiet">
          {person.role} · {person.blocked ? <span className="tag bad">blocked</span> : sessions(person.live)}
        </span>
      </span>
      <span className="actions">
        {button('revoke', 'Revoke')}
        {button('reissue', 'Reissue')}
        {person.blocked ? button('unblock', 'Unblock') : button('block', 'Block')}
      </span>
    </li>
  )
}
