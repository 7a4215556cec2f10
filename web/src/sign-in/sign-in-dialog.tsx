/** Asks a user over their page, which stays as it is: to sign in again, or for a new password. */
import { useEffect, useRef } from "preact/hooks";
import { strings } from "../strings/strings.ts";
import { NewPasswordForm } from "./forms/new-password-form.tsx";
import { useSignIn } from "./sign-in-context.ts";
import { SignInView } from "./forms/sign-in-view.tsx";

/** A dialog that only its answer closes. */
export function SignInDialog({ ask }: { readonly ask: "signIn" | "newPassword" }) {
  const { account } = useSignIn();
  const dialog = useRef<HTMLDialogElement>(null);
  const words = strings.signIn;
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      class="sign-in sign-in-dialog"
      ref={dialog}
      aria-label={ask === "signIn" ? words.titles.password : words.titles.newPassword}
      onCancel={(event) => event.preventDefault()}
      onClose={() => dialog.current?.showModal()} // a browser closes it at the second Escape key in any case
    >
      {ask === "newPassword" ? <NewPasswordForm /> : <SignInView />}
      {ask === "signIn" && (
        <button type="button" class="sign-in-way" onClick={() => void account.signOut()}>
          {words.signOut}
        </button>
      )}
    </dialog>
  );
}
