import { useId, type InputHTMLAttributes, type ReactNode } from 'react';

interface TextFieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  /** Shown inside the field at its end. */
  action?: ReactNode;
}

export function TextField({ label, action, ...rest }: TextFieldProps) {
  const id = useId();
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className="text-sm font-medium text-soft">
        {label}
      </label>
      <div className="flex items-center rounded-xl border border-line bg-ground transition-colors focus-within:border-accent">
        <input
          id={id}
          className="min-w-0 flex-1 rounded-xl bg-transparent px-4 py-3 text-[15px] outline-none placeholder:text-soft/75"
          {...rest}
        />
        {action}
      </div>
    </div>
  );
}
