import type { SessionState } from '@guestpass/browser'

// As the SDK renews: when a fifth of the life is left, give or take a quarter of that.
const RENEWAL_PART = 0.2
const RENEWAL_SPREAD = 0.25

interface Props {
  readonly left: number | undefined
  readonly life: number | undefined
  readonly status: SessionState['status']
}

/** A token's life, running out; the marked stretch is where the SDK renews. */
export function Ring({ left = 0, life, status }: Props) {
  const part = life ? Math.min(1, left / life) : 0
  const seconds = life ? Math.ceil(left) : undefined
  return (
    <div className="ring" role="timer" aria-label="Seconds that the token still lives" data-status={status}>
      <svg viewBox="0 0 120 120" aria-hidden="true">
        <Arc className="track" from={0} part={1} />
        <Arc
          className="renewal"
          from={RENEWAL_PART * (1 - RENEWAL_SPREAD)}
          part={RENEWAL_PART * RENEWAL_SPREAD * 2}
        />
        <Arc className="left" from={0} part={part} />
      </svg>
      <span className="reading">
        <span className="seconds number">{seconds ?? '–'}</span>
        <span className="quiet">{seconds === undefined ? 'no token' : 'seconds left'}</span>
        <span className="due">{nextStep(left, life, status)}</span>
      </span>
    </div>
  )
}

function nextStep(left: number, life: number | undefined, status: Props['status']): string {
  if (!life) return ''
  if (status === 'offline') return 'kept, trying again'
  const due = Math.round(left - life * RENEWAL_PART)
  return status === 'refreshing' || due <= 0 ? 'renewing now' : `renews in ~${due} s`
}

function Arc({ className, from, part }: { className: string; from: number; part: number }) {
  return (
    <circle
      className={className}
      cx="60"
      cy="60"
      r="53"
      pathLength="1"
      strokeDasharray={`${part} 2`}
      strokeDashoffset={-from}
      transform="rotate(-90 60 60)"
    />
  )
}
