export { TestClock } from './clock.js'
export { mintTestToken, type TestTokenClaims } from './token.js'
export { type TestApi, type TestEndpoint, type TestTab, TestWorld } from './world.js'
