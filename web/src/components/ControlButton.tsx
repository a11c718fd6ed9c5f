import type { LucideIcon } from 'lucide-react';

interface ControlButtonProps {
  icon: LucideIcon;
  /**
   * What pressing does now; read aloud and shown as the tooltip. A toggle's label changes with its state, which is
   * therefore not told once more: "mute, pressed" would say the opposite of what is so.
   */
  label: string;
  shortcut?: string;
  look: 'plain' | 'off' | 'active' | 'danger';
  /** Pressing does nothing for the moment. Not disabled: that would take the keyboard's focus away. */
  busy?: boolean;
  onClick: () => void;
}

const LOOKS = {
  plain: 'bg-raised hover:bg-line text-ink',
  off: 'bg-danger/15 hover:bg-danger/25 text-[#ff8a8d] ring-1 ring-inset ring-danger/40',
  active: 'bg-accent text-ground hover:bg-accent/85',
  danger: 'bg-danger-deep hover:bg-danger text-white px-5',
} as const;

export function ControlButton({ icon: Icon, label, shortcut, look, busy = false, onClick }: ControlButtonProps) {
  return (
    <div className="group relative">
      <button
        type="button"
        aria-label={label}
        aria-keyshortcuts={shortcut}
        aria-disabled={busy}
        onClick={busy ? undefined : onClick}
        className={`flex h-12 min-w-12 items-center justify-center rounded-2xl px-3.5 transition-colors aria-disabled:opacity-50 ${LOOKS[look]}`}
      >
        <Icon size={20} aria-hidden />
      </button>
      <span
        aria-hidden
        className="pointer-events-none absolute bottom-full left-1/2 z-30 mb-2 hidden -translate-x-1/2 items-center gap-2 rounded-lg border border-line bg-surface px-2.5 py-1.5 text-xs whitespace-nowrap text-ink shadow-lg group-focus-within:flex group-hover:flex max-sm:!hidden"
      >
        {label}
        {shortcut !== undefined && (
          <kbd className="rounded border border-line bg-raised px-1.5 font-sans text-[11px] text-soft uppercase">
            {shortcut}
          </kbd>
        )}
      </span>
    </div>
  );
}
