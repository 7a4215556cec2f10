/** The project's ways of signing in, for components. */
import { useEffect, useState } from "preact/hooks";
import { loadProjectSettings, type ProjectSettings } from "../project-settings.ts";
import { useSignIn } from "../sign-in-context.ts";

/** The settings; `undefined` until they are loaded, `"failed"` if the project cannot be reached. */
export function useSettings(): {
  readonly settings: ProjectSettings | "failed" | undefined;
  /** Loads them again. */
  readonly retry: () => void;
} {
  const { project } = useSignIn();
  const [settings, setSettings] = useState<ProjectSettings | "failed" | undefined>();
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    const load = async (): Promise<void> => {
      const loaded = await loadProjectSettings(project, (input, init) =>
        fetch(input, { ...init, signal: controller.signal }),
      ).catch(() => "failed" as const);
      if (!controller.signal.aborted) setSettings(loaded);
    };
    void load();
    return () => controller.abort();
  }, [project, attempt]);
  const retry = (): void => {
    setSettings(undefined);
    setAttempt((count) => count + 1);
  };
  return { settings, retry };
}
