# bash completion for escortctl(1)

_escortctl_ids() {
    # Ids of sessions or approvals, asked from the daemon; silent when it can't be reached.
    escortctl "$1" --json 2>/dev/null | grep -o '"id": *"[^"]*"' | cut -d'"' -f4
}

_escortctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local commands="status doctor sessions session approvals explain kill freeze thaw deny undeny reload policy document keygen approve revoke"
    COMPREPLY=()

    case $prev in
    --key | --trust)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        compopt -o filenames
        return
        ;;
    --type)
        mapfile -t COMPREPLY < <(compgen -W "approvals breakglass presence revocation" -- "$cur")
        return
        ;;
    --alg)
        mapfile -t COMPREPLY < <(compgen -W "EdDSA ES256 ES384" -- "$cur")
        return
        ;;
    esac

    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur")
        return
    fi

    local options="--json --help" words=
    case ${COMP_WORDS[1]} in
    sessions) options+=" --all" ;;
    session) words=$(_escortctl_ids sessions) ;;
    kill | freeze | thaw) options+=" --reason" words=$(_escortctl_ids sessions) ;;
    reload) options+=" --dry-run" ;;
    revoke) options+=" --key --host" words=$(_escortctl_ids approvals) ;;
    explain) options+=" --from --key --key-id --at --entry" words=$(compgen -u) ;;
    approve)
        options+=" --for --ticket --engineer --not-before --also --citizenship --screening --location --asserted-by"
        options+=" --escort --escort-citizenship --escort-screening --approver --source --key-fingerprint --key-id"
        options+=" --max-sessions --max-duration --key --host"
        words=$(compgen -u)
        ;;
    deny | undeny) [ "$COMP_CWORD" -eq 2 ] && words="approval engineer account" ;;
    keygen) options+=" --alg" ;;
    policy) [ "$COMP_CWORD" -eq 2 ] && words="check show" ;;
    document)
        [ "$COMP_CWORD" -eq 2 ] && words="sign publish verify show"
        options+=" --key --type --trust --breakglass --out --to --bucket --create --ca --client-cert --client-key --credentials"
        ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
    elif [ -n "$words" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        compopt -o filenames
    fi
}
complete -F _escortctl escortctl
