import { hydrateRoot } from 'react-dom/client'
import { HostApp } from './HostApp.js'

hydrateRoot(document.getElementById('root') as HTMLElement, <HostApp />)
