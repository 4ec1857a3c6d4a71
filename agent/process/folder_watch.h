// Who changes the files of a folder: fanotify(7) names the process, where inotify names none. Sees a file
// that was written (at once, and when it is closed), renamed into or out of the folder, or deleted; reads
// none, refuses nothing.
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <systemd/sd-event.h>

namespace escort {

struct FolderChange {
    std::string folder;
    std::string file;  // its name there
    pid_t pid = 0;     // who did it
    Fd pidfd;          // not valid: the process has gone
    bool lost = false; // no change, but the word that the kernel's queue ran over
};

class FolderWatch {
  public:
    using Changed = std::function<void(const FolderChange&)>;

    // Which changes: `entries` adds what is made there and never written, a symbolic link or a folder.
    enum class Watched { files, entries };
    // Of this folder alone, not of those below it; what this process itself does is left out. `loop` must
    // outlive it. Errors: no such folder, no CAP_SYS_ADMIN, a filesystem without file handles.
    [[nodiscard]] static Result<std::unique_ptr<FolderWatch>> open(sd_event* loop, std::string folder,
                                                                   Watched watched, Changed changed);
    FolderWatch(const FolderWatch&) = delete;
    FolderWatch& operator=(const FolderWatch&) = delete;
    ~FolderWatch();

    [[nodiscard]] const std::string& folder() const { return folder_; }
    // For a folder that may have been removed and made again. Where it is the same, nothing changes.
    void mark_again() const { (void)mark(); }

  private:
    FolderWatch(std::string folder, Changed changed);
    [[nodiscard]] Status mark() const;
    void read_events();
    static int on_readable(sd_event_source*, int, std::uint32_t, void* self);

    std::string folder_;
    Changed changed_;
    Watched watched_ = Watched::files;
    Fd events_;
    sd_event_source* source_ = nullptr;
};

} // namespace escort
