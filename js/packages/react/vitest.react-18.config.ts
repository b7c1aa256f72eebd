import { defineProject } from 'vitest/config'
import { project } from './test/project.js'

// The same tests on the oldest React that we promise.
const react18 = ['react', 'react-dom'].map((name) => ({
  find: new RegExp(`^${name}(/.*)?$`),
  replacement: new URL(`../../e2e/react-18/node_modules/${name}$1`, import.meta.url).pathname,
}))

export default defineProject(project('react 18', react18))
