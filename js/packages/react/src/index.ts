export { GuestpassProvider, type GuestpassProviderProps } from './GuestpassProvider.js'
export { useSession, useSessionClient, useSessionFetch, useSessionToken } from './hooks.js'
export { SessionGate, type SessionGateProps } from './SessionGate.js'
