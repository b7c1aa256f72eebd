import { GuestpassProvider, useSession, useSessionClient } from '@guestpass/react'
import { useEffect, useState } from 'react'
import { type Desk, type DeskHandle, useDesk } from './desk.js'
import { Header } from './Header.js'
import { Inspector } from './Inspector.js'
import { Journal, JournalContext, useJournal, useSessionNotes, useWireNotes } from './journal.js'
import { Ledger } from './Ledger.js'
import { OddRefreshes } from './OddRefreshes.js'
import { OperatorDesk } from './OperatorDesk.js'
import { SignIn } from './SignIn.js'

/** The portal: signed out, a choice of people; signed in, the ledger, the desk and a look behind the page. */
export function App() {
  const [journal] = useState(() => new Journal())
  return (
    <JournalContext value={journal}>
      <Portal />
    </JournalContext>
  )
}

function Portal() {
  const handle = useDesk()
  useWireNotes()
  const { desk } = handle
  if (!desk) return <Opening reachable={handle.reachable} />
  if (!desk.me) return <SignIn people={desk.people} post={handle.post} />
  return (
    <GuestpassProvider sessionTokenUrl="/api/session" userId={desk.me}>
      <Workspace desk={desk} handle={handle} />
    </GuestpassProvider>
  )
}

function Opening({ reachable }: { reachable: boolean }) {
  return (
    <main className="opening" aria-busy={reachable}>
      <p className="quiet">
        {reachable ? 'Opening the ledger…' : 'The portal cannot be reached. Trying again…'}
      </p>
    </main>
  )
}

function Workspace({ desk, handle }: { desk: Desk; handle: DeskHandle }) {
  const client = useSessionClient()
  const state = useSession()
  const journal = useJournal()
  const me = desk.people.find(({ id }) => id === desk.me)
  const name = me?.name ?? ''
  useSessionNotes(client)
  useEffect(() => {
    journal.startOver()
    journal.note('quiet', `Signed in as ${name}`)
  }, [journal, name])
  if (!me) return null
  const signOut = () => {
    client.end() // the other tabs are out at once, and do not wait to be told by the host
    handle.post('/api/logout')
  }
  return (
    <>
      <Header me={me} state={state} onSignOut={signOut} />
      <div className="workspace">
        <main id="main">
          <Ledger state={state} />
          <OperatorDesk desk={desk} reachable={handle.reachable} post={handle.post} />
          <OddRefreshes desk={desk} me={me} post={handle.post} />
        </main>
        <Inspector desk={desk} me={me} post={handle.post} />
      </div>
    </>
  )
}
