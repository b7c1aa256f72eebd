import { defineProject } from 'vitest/config'
import { project } from './test/project.js'

export default defineProject(project('react 19'))
