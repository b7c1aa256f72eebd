// Stands for your own login: a cookie that names the user.
export interface User {
  id: string
  email: string
}

export async function signedInUser(cookie: string | null | undefined): Promise<User | null> {
  const id = /(?:^|; )user=([a-z0-9_]+)/.exec(cookie ?? '')?.[1]
  return id ? { id, email: `${id}@example.com` } : null
}
