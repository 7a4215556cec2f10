/** The choice of a model. */
import { useEffect, useState } from "preact/hooks";
import { usePage } from "../../base/page-context.ts";
import { strings } from "../../strings/strings.ts";

interface PickerProps {
  readonly model: string | undefined;
  readonly onModel: (model: string | undefined) => void;
}

/** Shows the models, if the server has several. A chosen one that the server no longer has is given up. */
export function ModelPicker({ model, onModel }: PickerProps) {
  const { client } = usePage();
  const [models, setModels] = useState<readonly string[]>([]);
  useEffect(() => {
    client.models().then(setModels, () => {}); // without the list, the server's default model replies
  }, [client]);
  const isGone = model !== undefined && models.length > 0 && !models.includes(model);
  useEffect(() => {
    if (isGone) onModel(undefined);
  });
  if (models.length < 2) return null;
  const chosen = models.find((name) => name === model) ?? models[0];
  return (
    <select
      class="model-picker"
      aria-label={strings.chat.model}
      value={chosen}
      onChange={(event) => onModel(event.currentTarget.value)}
    >
      {models.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}
