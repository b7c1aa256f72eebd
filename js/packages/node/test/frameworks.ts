import { createServer, type RequestListener } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import type { NodeRequest, NodeResponse } from '../src/http/frameworks.js'
import type { SessionRoute } from '../src/index.js'
import { listen } from './service.js'

type Framework = 'Express' | 'Hono' | 'the Next.js app router' | 'the Next.js pages router'
type Routes = Readonly<Record<string, SessionRoute>>

const serve = async (listener: RequestListener): Promise<string> => listen(createServer(listener))

/** What the host has put there already must survive: a `Vary`, exposed headers, a cookie. */
const before = { Vary: 'Origin', 'Access-Control-Expose-Headers': 'X-Own', 'Set-Cookie': 'own=1' } as const

/** Serves routes by their paths, the way that each framework mounts them; gives the address. */
export const servers: Readonly<Record<Framework, (routes: Routes) => Promise<string>>> = {
  Express: async (routes) => {
    const app = express()
    app.use((_req, res, next) => {
      for (const [name, value] of Object.entries(before)) res.setHeader(name, value)
      next()
    })
    for (const [path, route] of Object.entries(routes)) app.all(path, route)
    return serve(app)
  },
  Hono: async (routes) => {
    const app = new Hono()
    app.use(cors({ origin: '*', exposeHeaders: ['X-Own'] }))
    app.use(async (c, next) => {
      c.header('Vary', 'Origin')
      c.header('Set-Cookie', 'own=1')
      await next()
    })
    for (const [path, route] of Object.entries(routes)) app.all(path, route)
    return serve(getRequestListener(app.fetch))
  },
  // Each file of the app router has a path of its own.
  'the Next.js app router': async (routes) => {
    return serve(
      getRequestListener((request) => {
        const route = routes[new URL(request.url).pathname]
        return route ? route(request, { params: Promise.resolve({}) }) : new Response(null, { status: 404 })
      }),
    )
  },
  // An API route of the pages router gets Node's own req and res, with a few more members.
  'the Next.js pages router': async (routes) => {
    return serve((req: NodeRequest & { url?: string | undefined }, res: NodeResponse) => {
      for (const [name, value] of Object.entries(before)) res.setHeader(name, value)
      const more = { query: {}, cookies: {} }
      void routes[req.url ?? '']?.(Object.assign(req, more), Object.assign(res, { status: () => res }))
    })
  },
}

/** Serves one route at `/session`. */
export type Mount = (route: SessionRoute) => Promise<string>

const mountOf =
  (name: Framework): Mount =>
  async (route) =>
    `${await servers[name]({ '/session': route })}/session`

export const mounts: Readonly<Record<Framework, Mount>> = {
  Express: mountOf('Express'),
  Hono: mountOf('Hono'),
  'the Next.js app router': mountOf('the Next.js app router'),
  'the Next.js pages router': mountOf('the Next.js pages router'),
}
