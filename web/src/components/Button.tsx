import type { ButtonHTMLAttributes } from 'react';

/** What cannot be pressed is grey, not faint: its label must still be read. */
const LOOKS = {
  primary: 'bg-accent text-ground enabled:hover:bg-accent/85 font-semibold disabled:bg-raised disabled:text-soft',
  secondary: 'bg-raised text-ink enabled:hover:bg-line border border-line font-medium disabled:text-soft',
  quiet: 'text-soft enabled:hover:text-ink enabled:hover:bg-raised font-medium',
} as const;

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: keyof typeof LOOKS;
}

export function Button({ look = 'secondary', className = '', ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      className={`inline-flex items-center justify-center gap-2 rounded-xl px-4 py-2.5 text-sm transition-colors ${LOOKS[look]} ${className}`}
      {...rest}
    />
  );
}
