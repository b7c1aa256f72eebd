import { useEffect, useState } from 'react'

type Message = { readonly from: string; readonly type: 'hello' | 'here' | 'bye' }

/** How many tabs of this browser show the ledger. */
export function useTabCount(): number {
  const [count, setCount] = useState(1)
  useEffect(() => {
    const from = crypto.randomUUID()
    const others = new Set<string>()
    const channel = new BroadcastChannel('larkspur tabs')
    const say = (type: Message['type']) => channel.postMessage({ from, type } satisfies Message)
    const leave = () => say('bye')
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.type === 'hello') say('here')
      if (data.type === 'bye') others.delete(data.from)
      else others.add(data.from)
      setCount(others.size + 1)
    }
    say('hello')
    addEventListener('pagehide', leave)
    return () => {
      leave()
      removeEventListener('pagehide', leave)
      channel.close()
    }
  }, [])
  return count
}
