import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SessionError } from '../src/errors.js'
import { next, RESTORING, type SessionEvent, type SessionState } from '../src/state.js'

const error = new SessionError('UNAVAILABLE', 'broken')
const session = fc.nat(1e6).map((n) => ({ sessionToken: `token-${n}`, lifeSeconds: 60, localExpiresAt: n }))
const event: fc.Arbitrary<SessionEvent> = fc.oneof(
  session.map((one) => ({ type: 'issued' as const, session: one })),
  fc.constant({ type: 'refreshDue' as const }),
  fc.constant({ type: 'refreshFailed' as const, error }),
  fc
    .constantFrom('none', 'blocked', 'revoked', 'ended')
    .map((reason) => ({ type: 'ended' as const, reason }) as SessionEvent),
)
const history = fc.array(fc.tuple(event, fc.boolean()))

const run = (events: readonly (readonly [SessionEvent, boolean])[]): SessionState =>
  events.reduce<SessionState>((state, [one, alive]) => next(state, one, alive), RESTORING)

describe('the state machine, whatever happens in whatever order', () => {
  test('never shows a token after the session has ended, until a new one is asked for or issued', () => {
    fc.assert(
      fc.property(history, fc.boolean(), (events, alive) => {
        const ended = next(run(events), { type: 'ended', reason: 'ended' }, alive)
        expect('session' in ended).toBe(false)
        expect(next(ended, { type: 'refreshFailed', error }, alive)).toBe(ended)
      }),
    )
  })

  test('never shows a dead token while a new one is being fetched or cannot be had', () => {
    fc.assert(
      fc.property(history, (events) => {
        const state = run(events)
        expect('session' in next(state, { type: 'refreshDue' }, false)).toBe(false)
        expect('session' in next(state, { type: 'refreshFailed', error }, false)).toBe(false)
      }),
    )
  })

  test('shows the token that was issued last, and no other', () => {
    fc.assert(
      fc.property(history, (events) => {
        const state = run(events)
        const issued = events.flatMap(([one]) => (one.type === 'issued' ? [one.session] : []))
        if ('session' in state) expect(state.session).toBe(issued.at(-1))
      }),
    )
  })

  test('a failed renewal never signs the user out', () => {
    fc.assert(
      fc.property(history, fc.boolean(), (events, alive) => {
        const before = run(events)
        const after = next(before, { type: 'refreshFailed', error }, alive)
        expect(after.status === 'signedOut').toBe(before.status === 'signedOut')
      }),
    )
  })

  test('keeps the first reason for a sign-out', () => {
    fc.assert(
      fc.property(history, fc.boolean(), (events, alive) => {
        const ended = next(run(events), { type: 'ended', reason: 'revoked' }, alive)
        expect(next(ended, { type: 'ended', reason: 'none' }, alive)).toBe(ended)
      }),
    )
  })

  test('does not change its input', () => {
    fc.assert(
      fc.property(history, event, fc.boolean(), (events, one, alive) => {
        const before = run(events)
        const copy = { ...before }
        next(Object.freeze(before), one, alive)
        expect(before).toEqual(copy)
      }),
    )
  })
})
