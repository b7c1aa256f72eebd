import type { Environment } from '../client/model.js'

const PROJECT = /^proj_[0-7][0-9a-hjkmnp-tv-z]{25}$/

/** What an issuer's URL says: `{base}/{environment}` or `{base}/{environment}/{project_id}`. */
export interface IssuerParts {
  readonly base: string
  readonly environment: Environment
  /** null: the project named `default`, whose id the URL does not say. */
  readonly projectId: string | null
}

/** Reads an issuer's parts; undefined for one that was replaced verbatim and says nothing of the kind. */
export function readIssuer(issuer: string): IssuerParts | undefined {
  const segments = issuer.split('/')
  const last = segments.pop() ?? ''
  const projectId = PROJECT.test(last) ? last : null
  const environment = projectId === null ? last : segments.pop()
  if (environment !== 'test' && environment !== 'live') return undefined
  return { base: segments.join('/'), environment, projectId }
}

export function isProjectId(text: string): boolean {
  return PROJECT.test(text)
}

export function otherEnvironment(environment: Environment): Environment {
  return environment === 'test' ? 'live' : 'test'
}
