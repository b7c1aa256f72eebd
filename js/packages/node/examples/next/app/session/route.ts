export { session as GET } from '../../lib/session.js'
