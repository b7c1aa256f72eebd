import type { SessionState, SignedOutReason } from '@guestpass/browser'
import { useSessionClient } from '@guestpass/react'
import { useState } from 'react'

/** In the widget's place when its session is over: why, and the way on. */
export function SessionOver({ state }: { state: SessionState }) {
  const client = useSessionClient()
  const [asking, setAsking] = useState(false)
  const { title, text } = WORDS[state.status === 'signedOut' ? state.reason : 'none']
  const again = async () => {
    setAsking(true)
    await client.refresh().catch(() => {}) // the state says why not
    setAsking(false)
  }
  return (
    <div className="over" role="alert">
      <h2>{title}</h2>
      <p>{text}</p>
      <button type="button" className="button main" disabled={asking} onClick={again}>
        Ask for a new session
      </button>
    </div>
  )
}

const WORDS: Record<SignedOutReason, { readonly title: string; readonly text: string }> = {
  revoked: {
    title: 'Your access was revoked',
    text: 'The API refused this token and did not invite another, so the page stays out. The host may still open a new session when you ask: revoking ends what there is, blocking keeps a person out.',
  },
  blocked: {
    title: 'You are blocked',
    text: 'The host answered 403: Guestpass opens no session for this person, whoever asks. Unblock at the desk below, then ask again.',
  },
  otherUser: {
    title: 'Somebody else has signed in',
    text: 'The new token belongs to another person. The page stops rather than show one person the data of another.',
  },
  ended: { title: 'You have signed out', text: 'The session was ended here or in another tab.' },
  none: { title: 'Nobody is signed in', text: 'The host says that nobody is signed in.' },
  expired: {
    title: 'The session has run out',
    text: 'The token is over and there is nobody to ask for another.',
  },
  reused: {
    title: 'Signed out to be safe',
    text: 'An old refresh token of this session was used again. It may be stolen, so the session has ended for everybody who holds it.',
  },
  invalid: { title: 'This session is not known', text: 'No server knows its refresh token.' },
  suspended: {
    title: 'This session is suspended',
    text: 'Something about it looked unusual. Sign in again, and a new session takes its place.',
  },
}
