import { GuestpassProvider, SessionGate, useSession } from '@guestpass/react'
import { StrictMode } from 'react'

/** The smallest page of a host that uses React. */
export function HostApp() {
  return (
    <StrictMode>
      <GuestpassProvider sessionTokenUrl="/api/session" userId="ada">
        <SessionGate fallback={<p id="shown">wait</p>}>
          <p id="shown">open</p>
          <Status />
        </SessionGate>
      </GuestpassProvider>
    </StrictMode>
  )
}

function Status() {
  return <i id="status">{useSession().status}</i>
}
