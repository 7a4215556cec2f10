/** The choice of colours and language, at the foot of the list of conversations. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { themes } from "../base/preferences.ts";
import { usePage } from "../base/page-context.ts";
import { useStore } from "../base/use-store.ts";
import { language, languageNames, strings } from "../strings/strings.ts";
import "../styles/settings.css";

/** A button that opens the settings below it. `children` come first. */
export function SettingsMenu({ children }: { readonly children?: ComponentChildren }) {
  const { preferences } = usePage();
  const theme = useStore(preferences, (state) => state.theme);
  const { settings } = strings;
  return (
    <details class="settings">
      <summary>{settings.title}</summary>
      <div class="settings-body">
        {children}
        <Choice
          label={settings.theme}
          value={theme}
          options={themes.map((value) => ({ value, text: settings.themes[value] }))}
          onChoose={(value) =>
            preferences.change({ theme: themes.find((name) => name === value) ?? "system" })
          }
        />
        <Choice
          label={settings.language}
          value={language}
          options={Object.entries(languageNames).map(([value, text]) => ({ value, text }))}
          onChoose={(value) => preferences.change({ language: value })}
        />
        <a href="./docs">{settings.docs}</a>
      </div>
    </details>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly { readonly value: string; readonly text: string }[];
  readonly onChoose: (value: string) => void;
}

function Choice({ label, value, options, onChoose }: ChoiceProps) {
  const id = useId();
  return (
    <>
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={({ currentTarget }) => onChoose(currentTarget.value)}>
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.text}
          </option>
        ))}
      </select>
    </>
  );
}
