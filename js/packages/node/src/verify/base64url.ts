const ALPHABET = /^[A-Za-z0-9_-]*$/

/**
 * Decodes base64url as RFC 7515 section 2 writes it: no padding, no white space, no other alphabet, and
 * no spare bits, so that one text only stands for the bytes (RFC 4648 section 3.5).
 *
 * @returns undefined where the text is anything else. `Buffer.from` alone would accept all of these.
 */
export function decodeBase64url(text: string): Buffer | undefined {
  if (!ALPHABET.test(text) || text.length % 4 === 1) return undefined
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}
