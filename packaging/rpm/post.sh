systemd-sysusers escortd.conf
systemd-tmpfiles --create escortd.conf
journalctl --update-catalog
if [ "$1" -eq 1 ]; then
    systemctl --no-reload preset escortd.service escort-courier.service
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    if [ "$1" -eq 1 ] && systemctl --quiet is-enabled escortd.service; then
        systemctl start escortd.service || echo "escortd did not start: journalctl -u escortd" >&2
        systemctl start escort-courier.service || echo "escort-courier did not start: journalctl -u escort-courier" >&2
    fi
fi
