import { defineConfig } from 'vitest/config';

export default defineConfig({
  // As tsconfig.json has it: React is JupyterLab's own.
  esbuild: { jsx: 'transform', jsxFactory: 'React.createElement', jsxFragment: 'React.Fragment' },
  test: { include: ['tests/**/*.test.{ts,tsx}'], restoreMocks: true }
});
