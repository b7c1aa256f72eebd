export * from '@guestpass/browser'
export * from '@guestpass/browser/refresh'
