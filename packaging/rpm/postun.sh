if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
if [ "$1" -eq 0 ]; then
    # The pinned programs would go on deciding without anybody to ask.
    rm -rf /sys/fs/bpf/escortd
    journalctl --update-catalog
elif [ -d /run/systemd/system ]; then
    systemctl try-restart escortd.service escort-courier.service
fi
