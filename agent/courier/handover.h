// The spool, from the courier's side: documents are put there whole, by rename, and nothing is ever read from
// it. A name is the document's own hash, so the same bytes are there once whatever source brings them.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <string_view>

namespace escort::courier {

class Handover {
  public:
    // Of ours in the spool at once, when the daemon takes none; and in all.
    static constexpr std::size_t kMostWaiting = 256;
    static constexpr std::size_t kMostBytes = std::size_t{64} << 20;
    static constexpr std::size_t kRemembered = 4096; // hashes of documents handed over

    explicit Handover(std::string spool) : spool_(std::move(spool)) {}

    // Removes half-written files that a killed courier left, and counts its documents that still wait. Error:
    // the folder can't be read.
    [[nodiscard]] Status open();

    enum class Durable { no, yes }; // yes: on the disk when put() returns, for what its sender then forgets
    // True: it is there. False: the same bytes have been there already. Error: no room, or the folder
    // refuses; put again it is handed over, maybe a second time.
    [[nodiscard]] Result<bool> put(std::string_view document, Durable durable);

    // What comes again is put again.
    void forget() { remembered_.clear(), order_.clear(); }

  private:
    [[nodiscard]] Status make_room(std::size_t bytes);

    std::string spool_;
    std::map<std::string, std::size_t>
        waiting_; // file name, bytes; gone ones are noticed when room is needed
    std::size_t waiting_bytes_ = 0;
    std::map<std::string, Durable> remembered_; // by hash
    std::deque<std::string> order_;
};

} // namespace escort::courier
