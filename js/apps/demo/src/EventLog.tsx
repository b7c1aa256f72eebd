import { useJournalNow } from './journal.js'

const TIME = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })

/** What the SDK did, newest first. */
export function EventLog() {
  const { entries } = useJournalNow()
  return (
    <section className="panel log" aria-labelledby="log-title">
      <h2 id="log-title">What the SDK did</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable from the keyboard */}
      <ol tabIndex={0} aria-labelledby="log-title">
        {entries.map(({ id, at, tone, text, detail }) => (
          <li key={id} data-tone={tone}>
            <time dateTime={new Date(at).toISOString()}>{TIME.format(at)}</time>
            <span className="dot" aria-hidden="true" />
            <span>
              {text} {detail && <span className="quiet">{detail}</span>}
            </span>
          </li>
        ))}
      </ol>
    </section>
  )
}
