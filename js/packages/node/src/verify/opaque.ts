const BODY = /^[0-7][0-9a-hjkmnp-tv-z]{25}[0-9A-Za-z]{49}$/
const CHECKSUM_CHARACTERS = 6
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/**
 * Whether a prefixed text has the form of an opaque token: 26 characters of the session's id, 43 of
 * secret, and the checksum of all before it. It proves nothing; it tells a mistyped token from a whole one.
 */
export function isOpaqueBody(token: string, body: string): boolean {
  return (
    BODY.test(body) && checksumOf(token.slice(0, -CHECKSUM_CHARACTERS)) === token.slice(-CHECKSUM_CHARACTERS)
  )
}

function checksumOf(text: string): string {
  let rest = crc32(Buffer.from(text))
  let digits = ''
  for (let count = 0; count < CHECKSUM_CHARACTERS; count += 1) {
    digits = `${DIGITS[rest % 62]}${digits}`
    rest = Math.floor(rest / 62)
  }
  return digits
}

// Our own: `zlib.crc32` came with Node.js 20.15.
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}
