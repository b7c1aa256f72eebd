import { useState } from 'react'
import type { DeskHandle, Person } from './desk.js'
import { Avatar, Brand } from './parts.js'

/** Choose who to be. A real portal asks for more. */
export function SignIn({ people, post }: { people: readonly Person[]; post: DeskHandle['post'] }) {
  const [entering, setEntering] = useState<string>()
  const enter = async (person: string) => {
    setEntering(person)
    await post('/api/login', { person })
    setEntering(undefined)
  }
  return (
    <main className="sign-in">
      <section className="card" aria-labelledby="sign-in-title">
        <Brand />
        <h1 id="sign-in-title">Who is at the desk today?</h1>
        <p className="quiet">
          This is the business's own sign-in; here it asks for no password. Each of these people gets a token
          that may do different things.
        </p>
        <ul className="people">
          {people.map((person) => (
            <li key={person.id}>
              <button type="button" disabled={entering !== undefined} onClick={() => enter(person.id)}>
                <Avatar person={person} />
                <span className="who">
                  <strong>{person.name}</strong>
                  <span className="quiet">{person.role}</span>
                </span>
                <span className="tag">
                  {person.blocked
                    ? 'blocked'
                    : `${person.operations.length} operation${person.operations.length > 1 ? 's' : ''}`}
                </span>
              </button>
            </li>
          ))}
        </ul>
      </section>
    </main>
  )
}
