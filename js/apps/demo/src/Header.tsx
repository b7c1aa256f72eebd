import type { SessionState } from '@guestpass/browser'
import type { Person } from './desk.js'
import { Avatar, Brand, StatusPill } from './parts.js'
import { useSecondsLeft } from './seconds.js'

export function Header({ me, state, onSignOut }: { me: Person; state: SessionState; onSignOut: () => void }) {
  const left = useSecondsLeft(state)
  return (
    <header className="top">
      <a className="skip" href="#main">
        Skip to the invoices
      </a>
      <Brand />
      <div className="top-status">
        <StatusPill state={state}>
          <span className="number">{left === undefined ? '' : `${Math.ceil(left)} s`}</span>
        </StatusPill>
      </div>
      <div className="top-user">
        <Avatar person={me} />
        <span className="who">
          <strong>{me.name}</strong>
          <span className="quiet">{me.role}</span>
        </span>
        <button type="button" className="button" onClick={onSignOut}>
          Sign out
        </button>
      </div>
    </header>
  )
}
