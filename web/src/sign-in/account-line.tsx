/** The signed-in user, at the foot of the list of conversations. */
import { useState } from "preact/hooks";
import { usePage } from "../base/page-context.ts";
import { strings } from "../strings/strings.ts";

/** Shows the user's address, and a button to sign out; nothing if no one signs in. */
export function AccountLine() {
  const { account } = usePage();
  const [isLeaving, setLeaving] = useState(false);
  if (account === undefined) return null;
  const { email, signOut } = account;
  return (
    <div class="account">
      <span class="account-email" title={email}>
        {email ?? strings.signIn.signedIn}
      </span>
      <button
        type="button"
        aria-disabled={isLeaving}
        onClick={() => {
          if (isLeaving) return;
          setLeaving(true);
          void signOut();
        }}
      >
        {isLeaving ? strings.signIn.wait : strings.signIn.signOut}
      </button>
    </div>
  );
}
