import { beforeEach, expect, test } from 'vitest'
import { exclusively, LOCK_WAIT_MS } from '../src/lock.js'
import { sleep as sleepOn } from '../src/platform.js'
import { TestWorld } from '../src/testing/index.js'

let world: TestWorld
let log: string[]

beforeEach(() => {
  world = new TestWorld()
  log = []
})

/** One tab's turn without Web Locks; it works for `seconds`. */
function turn(name: string, seconds: number, random: number, signal = new AbortController().signal) {
  const { platform } = world.tab({ locks: undefined })
  const sleep = (milliseconds: number, until: AbortSignal) => sleepOn(platform, milliseconds, until)
  const tabs = platform.tabs
  if (!tabs) throw new Error('a test tab has its own')
  return exclusively(
    { platform: { ...platform, random: () => random }, sleep },
    tabs,
    'lease',
    signal,
    async () => {
      log.push(`${name} in`)
      await sleep(seconds * 1000, signal)
      log.push(`${name} out`)
    },
  )
}

test('by leases, two tabs that come at once take turns', async () => {
  const both = Promise.all([turn('a', 1, 0.1), turn('b', 1, 0.2)])
  await world.clock.advance(3)
  await both
  expect([log.slice(0, 2), log.slice(2)].map((pair) => pair.map((one) => one.split(' ')[1]))).toEqual([
    ['in', 'out'],
    ['in', 'out'],
  ])
  expect(world.localStorage.size).toBe(0)
})

test('a lease that nobody gives back is waited for no longer than a fetch can take', async () => {
  world.localStorage.set('lease', `0.9 ${world.clock.wall + LOCK_WAIT_MS}`)
  const late = turn('late', 0, 0.1)
  await world.clock.advance(11)
  expect(log).toEqual([])
  await world.clock.advance(2)
  await late
  expect(log).toEqual(['late in', 'late out'])
})

test('a lease from before the clock was set back is not waited for', async () => {
  world.localStorage.set('lease', `0.9 ${world.clock.wall + 3_600_000}`)
  const soon = turn('soon', 0, 0.1)
  await world.clock.advance(1)
  await soon
  expect(log).toEqual(['soon in', 'soon out'])
})

test('whoever is called off while waiting does not work at all', async () => {
  world.localStorage.set('lease', `0.9 ${world.clock.wall + LOCK_WAIT_MS}`)
  const calledOff = new AbortController()
  const never = turn('never', 0, 0.1, calledOff.signal)
  await world.clock.advance(1)
  calledOff.abort(new Error('called off'))
  await expect(never).rejects.toThrow('called off')
  expect(log).toEqual([])
  await world.clock.advance(0.1)
  expect(world.clock.timers).toBe(0)
})
