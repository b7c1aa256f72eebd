import { createServer, type RequestListener } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import type { NodeRequest, NodeResponse } from '../src/http/frameworks.js'
import type { SessionRoute } from '../src/index.js'
import { listen } from './service.js'

/** Serves one route at `/session`, the way that each framework mounts it. */
export type Mount = (route: SessionRoute) => Promise<string>

const serve = async (listener: RequestListener): Promise<string> =>
  `${await listen(createServer(listener))}/session`

/** What the host has put there already must survive: a `Vary`, and exposed headers. */
const before = { Vary: 'Origin', 'Access-Control-Expose-Headers': 'X-Own' } as const

export const mounts: Readonly<
  Record<'Express' | 'Hono' | 'the Next.js app router' | 'the Next.js pages router', Mount>
> = {
  Express: async (route) => {
    const app = express()
    app.use((_req, res, next) => {
      for (const [name, value] of Object.entries(before)) res.setHeader(name, value)
      next()
    })
    app.all('/session', route)
    return serve(app)
  },
  Hono: async (route) => {
    const app = new Hono()
    app.use(cors({ origin: '*', exposeHeaders: ['X-Own'] }))
    app.use(async (c, next) => {
      c.header('Vary', 'Origin')
      await next()
    })
    app.all('/session', route)
    return serve(getRequestListener(app.fetch))
  },
  'the Next.js app router': async (route) => {
    return serve(getRequestListener((request) => route(request, { params: Promise.resolve({}) })))
  },
  // An API route of the pages router gets Node's own req and res, with a few more members.
  'the Next.js pages router': async (route) => {
    return serve((req: NodeRequest, res: NodeResponse) => {
      for (const [name, value] of Object.entries(before)) res.setHeader(name, value)
      void route(Object.assign(req, { query: {}, cookies: {} }), Object.assign(res, { status: () => res }))
    })
  },
}
