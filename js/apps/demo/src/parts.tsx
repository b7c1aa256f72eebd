import type { SessionState } from '@guestpass/browser'
import type { Person } from './desk.js'

export function Brand() {
  return (
    <span className="brand">
      <img src="/mark.svg" alt="" width="28" height="28" />
      <span>Larkspur Ledger</span>
    </span>
  )
}

export function Avatar({ person }: { person: Person }) {
  const initials = person.name.replace(/(\w)\w*\s*/g, '$1')
  return (
    <span className="avatar" data-person={person.id} aria-hidden="true">
      {initials}
    </span>
  )
}

const WORDS: Record<SessionState['status'], string> = {
  restoring: 'Getting a token',
  active: 'Active',
  refreshing: 'Renewing',
  offline: 'Offline',
  signedOut: 'Signed out',
}

/** The state of the session in a word and a colour. */
export function StatusPill({ state, children }: { state: SessionState; children?: React.ReactNode }) {
  return (
    <span className="pill" data-status={state.status}>
      <span className="dot" aria-hidden="true" />
      <span>{WORDS[state.status]}</span>
      {children}
    </span>
  )
}
