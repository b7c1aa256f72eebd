/**
 * A JSON reader for tokens, keys and nothing else: what two readers could understand differently is refused.
 * `JSON.parse` lets the last of two equal members win, and turns `1e400` and `9007199254740993` into other numbers.
 */

export type Json = null | boolean | number | string | Json[] | JsonObject
/** Has no prototype: `__proto__` and `constructor` are members like others. */
export interface JsonObject {
  [name: string]: Json
}

export const JSON_DEPTH_MAX = 32

const SPACE = /[ \t\n\r]*/y
const INTEGER = /-?(?:0|[1-9][0-9]*)(?![0-9.eE])/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 section 7 names them
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const LONE_SURROGATE = /\p{Surrogate}/u
const WORD = /true|false|null/y

/**
 * Reads UTF-8 bytes as one JSON text. A number that is not an integer within 2^53 becomes `NaN`, which no
 * check of a claim accepts.
 *
 * @returns undefined for invalid UTF-8, a byte order mark, duplicate members, lone surrogates, nesting over
 * `depthMax`, a number too big for a double, trailing text, or anything that is not JSON.
 */
export function parseStrictJson(bytes: Uint8Array, depthMax: number = JSON_DEPTH_MAX): Json | undefined {
  try {
    return new Reader(
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
      depthMax,
    ).readAll()
  } catch (fault) {
    if (fault instanceof NotStrict || fault instanceof TypeError) return undefined
    throw fault
  }
}

class NotStrict extends Error {}

class Reader {
  readonly #text: string
  readonly #depthMax: number
  #at = 0

  constructor(text: string, depthMax: number) {
    this.#text = text
    this.#depthMax = depthMax
  }

  readAll(): Json {
    const value = this.#value(0)
    this.#take(SPACE)
    if (this.#at !== this.#text.length) throw new NotStrict()
    return value
  }

  #value(depth: number): Json {
    this.#take(SPACE)
    const first = this.#text[this.#at]
    if (first === '{') return this.#object(depth)
    if (first === '[') return this.#array(depth)
    if (first === '"') return this.#string()
    const word = this.#take(WORD)
    if (word !== undefined) return word === 'null' ? null : word === 'true'
    return this.#number()
  }

  #object(depth: number): JsonObject {
    if (depth >= this.#depthMax) throw new NotStrict()
    const members: JsonObject = Object.create(null)
    this.#at += 1
    if (this.#skips('}')) return members
    do {
      this.#take(SPACE)
      const name = this.#string()
      if (Object.hasOwn(members, name) || !this.#skips(':')) throw new NotStrict()
      members[name] = this.#value(depth + 1)
    } while (this.#skips(','))
    if (!this.#skips('}')) throw new NotStrict()
    return members
  }

  #array(depth: number): Json[] {
    if (depth >= this.#depthMax) throw new NotStrict()
    const items: Json[] = []
    this.#at += 1
    if (this.#skips(']')) return items
    do items.push(this.#value(depth + 1))
    while (this.#skips(','))
    if (!this.#skips(']')) throw new NotStrict()
    return items
  }

  #string(): string {
    const quoted = this.#take(STRING)
    const text: unknown = quoted === undefined ? undefined : JSON.parse(quoted)
    if (typeof text !== 'string' || LONE_SURROGATE.test(text)) throw new NotStrict()
    return text
  }

  #number(): number {
    const integer = this.#take(INTEGER)
    if (integer !== undefined) return Number.isSafeInteger(Number(integer)) ? Number(integer) : Number.NaN
    const other = this.#take(NUMBER)
    if (other === undefined || !Number.isFinite(Number(other))) throw new NotStrict()
    return Number.NaN
  }

  #skips(character: string): boolean {
    this.#take(SPACE)
    if (this.#text[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }
}
