export * from '@guestpass/browser'
