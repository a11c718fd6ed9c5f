import type { ButtonHTMLAttributes } from 'react';

const LOOKS = {
  primary: 'bg-accent text-ground hover:bg-accent/85 font-semibold',
  secondary: 'bg-raised text-ink hover:bg-line border border-line font-medium',
  quiet: 'text-soft hover:text-ink hover:bg-raised font-medium',
} as const;

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: keyof typeof LOOKS;
}

export function Button({ look = 'secondary', className = '', ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      className={`inline-flex items-center justify-center gap-2 rounded-xl px-4 py-2.5 text-sm transition-colors disabled:opacity-50 ${LOOKS[look]} ${className}`}
      {...rest}
    />
  );
}
