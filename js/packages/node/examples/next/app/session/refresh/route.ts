export { refresh as POST } from '../../../lib/session.js'
