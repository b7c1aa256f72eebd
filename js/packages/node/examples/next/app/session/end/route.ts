export { end as POST } from '../../../lib/session.js'
