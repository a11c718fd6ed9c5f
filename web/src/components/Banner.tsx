import type { LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';

interface BannerProps {
  icon: LucideIcon;
  tone: 'neutral' | 'warn' | 'danger';
  spinning?: boolean;
  children: ReactNode;
  action?: ReactNode;
}

const TONES = { neutral: 'text-accent', warn: 'text-warn', danger: 'text-[#ff8a8d]' } as const;

/** A line about the state of things, read aloud when it changes. */
export function Banner({ icon: Icon, tone, spinning = false, children, action }: BannerProps) {
  return (
    <div
      role={tone === 'danger' ? 'alert' : 'status'}
      className="flex animate-appear items-center gap-3 rounded-xl border border-line bg-raised/95 px-4 py-2.5 text-sm shadow-xl backdrop-blur"
    >
      <Icon size={18} aria-hidden className={`shrink-0 ${TONES[tone]} ${spinning ? 'animate-spin' : ''}`} />
      <div className="min-w-0 flex-1">{children}</div>
      {action}
    </div>
  );
}
